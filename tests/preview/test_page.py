"""The preview's page in a real browser: pictures, slider, zoom, flicker, keys; and the command that writes it."""

import shutil

import numpy as np
import pytest
from helpers.clips import clip_of

from vsduf.cli.main import main
from vsduf.preview import page
from vsduf.preview.frames import Shown, render, seconds_a_frame, spread

vs = pytest.importorskip("vapoursynth")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDTH, HEIGHT = 320, 180
NAMES = ["source, bicubic", "vsduf duf-16s-x4", "</script><b>other"]


def picture(value):
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


SHOWN = [Shown(n, tuple(picture(40 * k + n) for k in range(3))) for n in (10, 30)]


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None or DRIVER is None:
        pytest.skip("Chromium and its driver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1000,800", "disable-background-networking"):
        options.add_argument(f"--{word}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    path = page.write(tmp_path / "out", "a film & more", NAMES, SHOWN, ["320x180 to 320x180", "<i>3 hours</i>"])
    browser.get(path.as_uri())
    return browser


def colour_at(browser, x, y):
    """The grey level that the browser shows at a place of the stage, in shares of its sides."""
    from io import BytesIO

    from PIL import Image

    stage = browser.find_element("id", "stage")
    shot = Image.open(BytesIO(stage.screenshot_as_png)).convert("RGB")
    return shot.getpixel((int(x * (shot.width - 1)), int(y * (shot.height - 1))))[0]


def click(browser, selector):
    browser.find_element("css selector", selector).click()


def test_the_slider_shows_one_clip_at_each_side(opened):
    assert abs(colour_at(opened, 0.4, 0.5) - 10) <= 2
    assert abs(colour_at(opened, 0.6, 0.5) - 90) <= 2
    from selenium.webdriver import ActionChains

    stage = opened.find_element("id", "stage")
    reach = stage.size["width"] // 4
    ActionChains(opened).move_to_element(stage).click_and_hold().move_by_offset(reach, 0).release().perform()
    assert float(stage.get_attribute("data-split")) == pytest.approx(0.75, abs=0.02)
    assert abs(colour_at(opened, 0.65, 0.5) - 10) <= 2


def test_clips_and_frames_are_chosen(opened):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    Select(opened.find_element("id", "b")).select_by_index(1)
    assert abs(colour_at(opened, 0.6, 0.5) - 50) <= 2
    opened.find_element("tag name", "body").send_keys(Keys.ARROW_RIGHT)
    assert abs(colour_at(opened, 0.6, 0.5) - 70) <= 2
    assert Select(opened.find_element("id", "frame")).first_selected_option.text == "30"


@pytest.mark.parametrize(("zoom", "scale"), [("1", 1), ("4", 4)])
def test_zoom_shows_whole_pixels(opened, zoom, scale):
    click(opened, f'[data-zoom="{zoom}"]')
    image = opened.find_element("css selector", "#over img")
    box = opened.execute_script("return arguments[0].getBoundingClientRect().width", image)
    assert box * opened.execute_script("return devicePixelRatio") == pytest.approx(WIDTH * scale)


def test_flicker_alternates(opened):
    from selenium.webdriver.support.ui import WebDriverWait

    click(opened, "#flicker")
    stage = opened.find_element("id", "stage")
    for name in (NAMES[2], NAMES[0], NAMES[2]):
        WebDriverWait(opened, 10, 0.05).until(lambda _, name=name: stage.get_attribute("data-showing") == name)
    click(opened, "#flicker")
    assert stage.get_attribute("data-showing") == NAMES[0]


def test_text_is_text(opened):
    assert opened.title == "a film & more"
    assert "<i>3 hours</i>" in opened.find_element("tag name", "header").text
    assert opened.find_element("id", "right").text == NAMES[2]


def test_the_page_needs_nothing_else():
    text = page.page_of("film", NAMES, SHOWN, [])
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("data:image/webp;base64,") == 6


def test_frames_are_spread_evenly():
    assert spread(100, 4) == [12, 37, 62, 87]
    assert spread(2, 5) == [0, 1]


def grey(levels, width, height):
    planes = [[np.full((height, width), level, np.uint8)] * 3 for level in levels]
    return clip_of(planes, vs.RGB24)


def test_clips_are_shown_at_one_size():
    shown = render([grey(range(9), 16, 12), grey(range(9), 32, 24)], [2, 5])
    assert [frame.number for frame in shown] == [2, 5]
    assert all(p.shape == (24, 32, 3) for frame in shown for p in frame.pictures)
    assert [int(frame.pictures[0].mean()) for frame in shown] == [2, 5]


def test_time_is_taken_in_linear_order():
    asked, ticks = [], iter([0.0, 6.0])

    def note(n, f):
        asked.append(n)
        return f

    blank = grey(range(20), 16, 12)
    assert seconds_a_frame(blank.std.ModifyFrame(blank, note), 10, lambda: next(ticks)) == 2.0
    assert sorted(asked) == [10, 11, 12, 13]


def test_the_command_compares_scripts(tmp_path, capsys):
    for name, level in (("a", 50), ("b", 90)):
        blank = f"BlankClip(width=32, height=24, length=8, color=[{level}] * 3)"
        script = f"import vapoursynth as vs\nvs.core.std.{blank}.set_output()\n"
        (tmp_path / f"{name}.vpy").write_text(script)
    words = ["preview", "--compare", str(tmp_path / "a.vpy"), str(tmp_path / "b.vpy"), "-o", str(tmp_path / "out")]
    assert main([*words, "--frames", "2"]) == 0
    made = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert made == ["frame-2-a.png", "frame-2-b.png", "frame-6-a.png", "frame-6-b.png", "index.html"]
    assert "8 frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a film to preview, or scripts with --compare"),
        (["none.mkv"], "none.mkv does not exist"),
        (["--compare", "none.vpy"], "none.vpy is not a script"),
        (["x.mkv", "--frames", "0"], "--frames is 0; it must be 1 or more"),
    ],
)
def test_refusals_are_one_sentence(words, message, capsys):
    assert main(["preview", *words]) == 1
    assert message in capsys.readouterr().err
