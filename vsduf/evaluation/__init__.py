"""Scores models and shows what they have learnt: degradation, metrics, scoring protocol, experiments, figures."""
