"""Training DUF networks: footage, samples, degradation and the loop.

config = vsduf.training.config.read(Path("mine.toml"))  # or a RunConfig made in Python
trainer = vsduf.training.loop.Trainer(config, torch.device("cuda"))  # goes on from output/last.pt if it is there
trainer.run(lambda state: print(state.step, state.loss), minutes=60)
"""
