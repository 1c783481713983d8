"""How good a model is, and what it has learnt: degradation, metrics, the scoring protocol, experiments, figures."""
