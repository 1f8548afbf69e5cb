"""PyTorch's DistributedDataParallel for parallel.py: processes that hold a part of a batch each, and do steps when asked."""

import os
import sys
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from tempfile import TemporaryDirectory

import numpy as np
import others


def serve(rank, size, folder, pipe):
    """One process: gets (network, x, t, rows, lr), then answers each True with the loss of a step on these rows."""
    import torch
    from torch.distributed import destroy_process_group, init_process_group

    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size)
    step = None
    while (asked := pipe.recv()) is not None:
        if asked is True:
            pipe.send(step())
        else:
            step = stepper(torch, *asked)
            pipe.send(True)
    destroy_process_group()


def stepper(torch, net, x, t, rows, lr):
    """A function that does one step, on rows that it takes out of the examples as training does."""
    model = torch.nn.Sequential(*(others.torch_module(torch, layer) for layer in net.layers))
    model = torch.nn.parallel.DistributedDataParallel(model)
    x, t, rows = (torch.from_numpy(array) for array in (others.batch_first(x), t, rows))
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr)

    def step():
        optimizer.zero_grad()
        J = loss(model(x[rows]), t[rows])
        J.backward()
        optimizer.step()
        return J.item()

    return step


@contextmanager
def ranks(size):
    """A function that hands a network and as many shards as there are processes to them, and returns the stepper of all."""
    context = get_context("spawn")
    pipes, theirs = zip(*(context.Pipe() for _ in range(size)))

    def ask(questions):
        for pipe, question in zip(pipes, questions):
            pipe.send(question)
        return [pipe.recv() for pipe in pipes]

    def stepper_of(net, shards, lr):
        ask([(net, *shard, lr) for shard in shards])
        return lambda: float(np.mean(ask([True] * size)))

    with TemporaryDirectory() as folder:
        processes = [context.Process(target=serve, args=(k, size, folder, theirs[k])) for k in range(size)]
        try:
            for process, end in zip(processes, theirs):
                process.start()
                end.close()  # so that a process that fails is heard of
            yield stepper_of
        finally:
            for pipe in pipes:
                with suppress(OSError):
                    pipe.send(None)
            for process in processes:
                process.join(10)
                process.kill()
