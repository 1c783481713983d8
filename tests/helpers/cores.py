"""Opens and destroys VapourSynth cores. A program, run by filter/test_graph.py: a process keeps its first policy."""

import gc
import threading

import vapoursynth as vs
from helpers.upscalers import Mixing

ROUNDS = 60


class Policy(vs.EnvironmentPolicy):
    """One environment per thread, alive until it is destroyed."""

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
    """Returns a frame that a core of its own made, and whether the upscaler was closed with that core."""
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
