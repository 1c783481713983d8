// core.duf: the functions of VapourSynth's API 4, which call those of vsduf/filter/bind.py. No pixel is computed here.
//
// Upscale and Version take the interpreter's lock, import vsduf.filter.bind and call its bind(). bind() calls
// core.duf.Bind on the same thread with two Python functions as VSFunctions. Those then run with the caller's own
// arguments, so the Python `upscale` receives real VideoNodes and builds its graph with them.
//
// Window is the one filter. It requests the frames around n, passes them to a Python function, and returns that
// function's picture with the properties of frame n.
//
// A Python function that fails returns its error as text. VapourSynth would show a traceback for an exception.
//
// Built against Python's limited API and not linked to libpython: the process that loads the plugin has the symbols.

#define Py_LIMITED_API 0x030c0000
#include <Python.h>
#include <VapourSynth4.h>

#include <algorithm>
#include <memory>
#include <string>

#ifndef _WIN32
extern "C" __attribute__((weak)) int Py_IsInitialized(void);  // null in a host that has no Python at all
#endif

namespace {

using Map = std::unique_ptr<VSMap, decltype(VSAPI::freeMap)>;
using Node = std::unique_ptr<VSNode, decltype(VSAPI::freeNode)>;
using Function = std::unique_ptr<VSFunction, decltype(VSAPI::freeFunction)>;
using Frame = std::unique_ptr<const VSFrame, decltype(VSAPI::freeFrame)>;

constexpr int maxRadius = 16;

/* The Python functions that one call of Upscale or Version receives through Bind, on the same thread. */
struct Bound {
    VSCore *core = nullptr;
    Function upscale{nullptr, nullptr};
    Function version{nullptr, nullptr};
};
thread_local Bound *awaited = nullptr;  // null except while bindPython runs

void VS_CC bind(const VSMap *in, VSMap *out, void *, VSCore *core, const VSAPI *vsapi) {
    if (!awaited)
        return vsapi->mapSetError(out, "Bind: only vsduf may call this function; call Upscale");
    awaited->core = core;
    awaited->upscale = Function{vsapi->mapGetFunction(in, "upscale", 0, nullptr), vsapi->freeFunction};
    awaited->version = Function{vsapi->mapGetFunction(in, "version", 0, nullptr), vsapi->freeFunction};
}

bool pythonRuns() {
#ifdef _WIN32
    return Py_IsInitialized();
#else
    return Py_IsInitialized && Py_IsInitialized();
#endif
}

/* Returns the text of the Python exception that was raised, and clears it. */
std::string raised() {
    PyObject *error = PyErr_GetRaisedException();
    PyObject *text = error ? PyObject_Str(error) : nullptr;
    const char *utf8 = text ? PyUnicode_AsUTF8AndSize(text, nullptr) : nullptr;
    std::string message = utf8 ? utf8 : "an exception without text";
    Py_XDECREF(text);
    Py_XDECREF(error);
    PyErr_Clear();
    return message;
}

/* Fills `bound` by calling vsduf.filter.bind.bind(). Returns the error, or an empty string. */
std::string bindPython(Bound *bound) {
    if (!pythonRuns())
        return "this program does not run Python; use vspipe, VSScript or Python";
    const PyGILState_STATE lock = PyGILState_Ensure();
    awaited = bound;
    PyObject *plugin = PyImport_ImportModule("vsduf.filter.bind");
    PyObject *function = plugin ? PyObject_GetAttrString(plugin, "bind") : nullptr;
    PyObject *result = function ? PyObject_CallNoArgs(function) : nullptr;
    std::string error = result ? "" : "the Python package vsduf does not load: " + raised();
    Py_XDECREF(result);
    Py_XDECREF(function);
    Py_XDECREF(plugin);
    awaited = nullptr;
    PyGILState_Release(lock);
    return error;
}

/* Calls a Python function. Returns its result as "val", or the error that it raised or returned as text. */
Map call(VSFunction *function, const VSMap *in, const VSAPI *vsapi) {
    Map result{vsapi->createMap(), vsapi->freeMap};
    vsapi->callFunction(function, in, result.get());
    int absent = 0;  // with an error code to write to, VapourSynth does not end the process for a missing value
    const char *text = vsapi->mapGetError(result.get()) ? nullptr : vsapi->mapGetData(result.get(), "val", 0, &absent);
    if (text && !absent)
        vsapi->mapSetError(result.get(), std::string(text).c_str());
    return result;
}

/* Calls one of the two bound functions. Returns its result, or an error. */
Map callBound(const char *name, Function Bound::*which, const VSMap *in, VSCore *core, const VSAPI *vsapi) {
    Bound bound;
    std::string error = bindPython(&bound);
    if (error.empty() && bound.core != core)
        error = "called for a core that is not the current Python environment's; call it inside its environment";
    if (error.empty())
        return call((bound.*which).get(), in, vsapi);
    Map refusal{vsapi->createMap(), vsapi->freeMap};
    vsapi->mapSetError(refusal.get(), (name + (": " + error)).c_str());
    return refusal;
}

void VS_CC upscale(const VSMap *in, VSMap *out, void *, VSCore *core, const VSAPI *vsapi) {
    const Map result = callBound("Upscale", &Bound::upscale, in, core, vsapi);
    if (const char *error = vsapi->mapGetError(result.get()))
        return vsapi->mapSetError(out, error);
    int absent = 0;
    VSNode *clip = vsapi->mapGetNode(result.get(), "val", 0, &absent);
    if (absent)
        return vsapi->mapSetError(out, "Upscale: the Python function returned no clip; install vsduf again");
    vsapi->mapConsumeNode(out, "clip", clip, maReplace);
}

void VS_CC version(const VSMap *in, VSMap *out, void *, VSCore *core, const VSAPI *vsapi) {
    const Map result = callBound("Version", &Bound::version, in, core, vsapi);
    if (const char *error = vsapi->mapGetError(result.get()))
        return vsapi->mapSetError(out, error);
    vsapi->copyMap(result.get(), out);
    for (const char *list : {"devices", "models"})  // VapourSynth's Python module leaves out empty lists
        if (vsapi->mapNumElements(out, list) < 0)
            vsapi->mapSetEmpty(out, list, ptData);
}

struct Window {
    Node clip;
    Function render;
    VSVideoInfo vi;  // of the output
    int radius;
};

/* Tells whether a frame has the format and size of the output. */
bool fits(const VSFrame *frame, const VSVideoInfo &vi, const VSAPI *vsapi) {
    const VSVideoFormat *f = vsapi->getVideoFrameFormat(frame);
    return f->colorFamily == vi.format.colorFamily && f->sampleType == vi.format.sampleType &&
           f->bitsPerSample == vi.format.bitsPerSample && f->numPlanes == 3 && !f->subSamplingW && !f->subSamplingH &&
           vsapi->getFrameWidth(frame, 0) == vi.width && vsapi->getFrameHeight(frame, 0) == vi.height;
}

const VSFrame *VS_CC windowFrame(int n, int reason, void *data, void **, VSFrameContext *context, VSCore *core,
                                 const VSAPI *vsapi) {
    const Window &window = *static_cast<Window *>(data);
    VSNode *clip = window.clip.get();
    const int first = n - std::min(n, window.radius);
    const int last = n + std::min(window.vi.numFrames - 1 - n, window.radius);
    if (reason == arInitial)
        for (int i = first; i <= last; ++i) vsapi->requestFrameFilter(i, clip, context);
    if (reason != arAllFramesReady)
        return nullptr;

    const Map in{vsapi->createMap(), vsapi->freeMap};
    vsapi->mapSetInt(in.get(), "n", n, maReplace);
    vsapi->mapSetInt(in.get(), "first", first, maReplace);
    for (int i = first; i <= last; ++i)
        vsapi->mapConsumeFrame(in.get(), "frames", vsapi->getFrameFilter(i, clip, context), maAppend);
    const Map result = call(window.render.get(), in.get(), vsapi);
    if (const char *error = vsapi->mapGetError(result.get())) {
        vsapi->setFilterError(error, context);
        return nullptr;
    }
    int absent = 0;
    const Frame picture{vsapi->mapGetFrame(result.get(), "val", 0, &absent), vsapi->freeFrame};
    if (!picture || !fits(picture.get(), window.vi, vsapi)) {
        vsapi->setFilterError("Window: render must return a video frame of the output's format and size", context);
        return nullptr;
    }
    const VSFrame *planes[] = {picture.get(), picture.get(), picture.get()};
    const int order[] = {0, 1, 2};
    const Frame centre{vsapi->getFrameFilter(n, clip, context), vsapi->freeFrame};
    return vsapi->newVideoFrame2(&window.vi.format, window.vi.width, window.vi.height, planes, order, centre.get(),
                                 core);
}

void VS_CC windowFree(void *data, VSCore *, const VSAPI *) {
    delete static_cast<Window *>(data);  // releases `render`, and with it the Python object that owns the upscaler
}

void VS_CC windowCreate(const VSMap *in, VSMap *out, void *, VSCore *core, const VSAPI *vsapi) {
    auto window =
        std::make_unique<Window>(Window{{vsapi->mapGetNode(in, "clip", 0, nullptr), vsapi->freeNode},
                                        {vsapi->mapGetFunction(in, "render", 0, nullptr), vsapi->freeFunction},
                                        {},
                                        vsapi->mapGetIntSaturated(in, "radius", 0, nullptr)});
    const int scale = vsapi->mapGetIntSaturated(in, "scale", 0, nullptr);
    window->vi = *vsapi->getVideoInfo(window->clip.get());
    if (window->vi.format.colorFamily != cfRGB || window->vi.width <= 0)
        return vsapi->mapSetError(out, "Window: the clip must be RGB of constant format and size");
    if (window->radius < 0 || window->radius > maxRadius)
        return vsapi->mapSetError(out, "Window: radius must be 0 to 16");
    if (scale < 1 || std::max(window->vi.width, window->vi.height) > INT32_MAX / scale)
        return vsapi->mapSetError(out, "Window: scale must be at least 1, and the output's sides at most 2147483647");
    window->vi.width *= scale;
    window->vi.height *= scale;
    const VSFilterDependency source{window->clip.get(), rpGeneral};
    const VSVideoInfo vi = window->vi;
    // If `render` is no faster on several threads, one thread calls it; the others compute other filters.
    const VSFilterMode mode = vsapi->mapGetInt(in, "parallel", 0, nullptr) ? fmParallel : fmParallelRequests;
    vsapi->createVideoFilter(out, "Upscale", &vi, windowFrame, windowFree, mode, &source, 1, window.release(), core);
}

}  // namespace

VS_EXTERNAL_API(void) VapourSynthPluginInit2(VSPlugin *plugin, const VSPLUGINAPI *vspapi) {
    vspapi->configPlugin("io.github.vsduf", "duf", "DUF video super-resolution", VSDUF_VERSION, VAPOURSYNTH_API_VERSION,
                         0, plugin);
    vspapi->registerFunction(
        "Upscale",
        "clip:vnode;scale:int:opt;model:data:opt;device_id:int:opt;fp16:int:opt;tilesize:int[]:opt;"
        "overlap:int:opt;num_streams:int:opt;scenecut:int:opt;width:int:opt;height:int:opt;square:int:opt;"
        "device:data:opt;",
        "clip:vnode;", upscale, nullptr, plugin);
    vspapi->registerFunction("Version", "",
                             "version:data;torch:data;cuda:data;cpu:data;devices:data[]:empty;models:data[]:empty;",
                             version, nullptr, plugin);
    vspapi->registerFunction("Bind", "upscale:func;version:func;", "", bind, nullptr, plugin);
    vspapi->registerFunction("Window", "clip:vnode;radius:int;scale:int;render:func;parallel:int;", "clip:vnode;",
                             windowCreate, nullptr, plugin);
}
