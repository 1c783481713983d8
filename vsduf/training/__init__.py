"""Training DUF networks: footage, samples, the trainer.

config = vsduf.training.read_config(Path("mine.toml"))
trainer = vsduf.training.Trainer(config, torch.device("cuda"))  # continues from output/last.pt if it is there
trainer.run(lambda state: print(state.step, state.loss), minutes=60)
"""

from vsduf.training.config import read as read_config
from vsduf.training.trainer import Trainer

__all__ = ["Trainer", "read_config"]
