"""A program that opens and destroys VapourSynth cores: run by test_plugin, for a process has one policy for good."""

import gc
import threading

import vapoursynth as vs
from helpers.upscalers import Mixing

ROUNDS = 60


class Policy(vs.EnvironmentPolicy):
    """One environment a thread, alive until it is destroyed."""

    def on_policy_registered(self, special_api):
        self.api, self.current, self.alive = special_api, threading.local(), set()

    def on_policy_cleared(self):
        self.alive.clear()

    def get_current_environment(self):
        return getattr(self.current, "environment", None)

    def set_environment(self, environment):
        previous, self.current.environment = self.get_current_environment(), environment
        return previous

    def is_alive(self, environment):
        return environment in self.alive


policy = Policy()
vs.register_policy(policy)


def one_core(node_first):
    """A frame from a core of its own, and whether the upscaler was closed when the core was gone."""
    from helpers.clips import bytes_of, noise

    from vsduf.filter import graph

    environment = policy.api.create_environment()
    policy.alive.add(environment)
    upscaler = Mixing()
    with policy.api.wrap_environment(environment).use():
        node = graph.upscale_with(noise(vs.YUV420P8, 16, 16, 9), upscaler)
        picture = bytes_of(node, 4)
        if node_first:
            del node
            gc.collect()
    if not node_first:
        del node
        gc.collect()
    policy.api.destroy_environment(environment)
    policy.alive.discard(environment)
    return picture, upscaler.closed == 1


pictures, closed = zip(*(one_core(i % 2 == 0) for i in range(ROUNDS)), strict=True)
print(f"{ROUNDS} cores, {len(set(pictures))} picture, {'all' if all(closed) else 'not all'} closed")
