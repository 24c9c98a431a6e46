"""From a flag to a tf.distribute strategy, and what a loop needs to know of it."""

import json
import os

import tensorflow as tf

import zoo
from trainers.errors import BadInput

STRATEGIES = ("one_device", "mirrored", "multi_worker")


def use_virtual_devices(num):
    """Splits the CPU into `num` logical ones, for runs and tests of several replicas without GPUs; before the runtime
    starts."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num)
    except RuntimeError:
        found = len(tf.config.list_logical_devices("CPU"))
        if found < num:
            raise BadInput(f"--virtual_devices={num}: this process already runs with {found} logical CPUs.") from None


def make(name, virtual_devices=0):
    """Makes the strategy `name` of STRATEGIES.

    one_device: the first GPU, or the CPU. mirrored: every GPU of the machine (all-reduce by NCCL), or `virtual_devices`
    logical CPUs.
    multi_worker: the processes that the environment variable TF_CONFIG names, by NCCL between GPUs or by a ring on
    CPUs.
    """
    if name not in STRATEGIES:
        raise BadInput(f"--strategy: unknown strategy {name!r}; {zoo.nearest(name, STRATEGIES)}")
    if virtual_devices:
        use_virtual_devices(virtual_devices)
    # asking for logical ones would start the runtime, too early for several workers
    gpus = tf.config.list_physical_devices("GPU")
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        if gpus and not virtual_devices:
            return tf.distribute.MirroredStrategy()
        if not virtual_devices:
            raise BadInput("--strategy=mirrored: this machine has no GPU; --virtual_devices=2 makes logical CPUs to "
                           "try it on.")
        return tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(virtual_devices)])
    check_tf_config(os.environ.get("TF_CONFIG", ""))
    implementation = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(implementation=implementation.NCCL if gpus
                                                              else implementation.RING)
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


def check_tf_config(text):
    """Raises BadInput unless TF_CONFIG names a cluster of workers and which of them this process is."""
    try:
        value = json.loads(text)
        workers, task = value["cluster"]["worker"], value["task"]
        valid = task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise BadInput('--strategy=multi_worker: the environment variable TF_CONFIG must be JSON such as {"cluster": '
                       '{"worker": ["host:port", ...]}, '
                       f'"task": {{"type": "worker", "index": 0}}}}, found {text!r}.')


def workers(strategy):
    """Finds (index of this worker, number of workers)."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return 0, 1
    return resolver.task_id, len(resolver.cluster_spec().as_dict()["worker"])


def per_replica(strategy, batch, per_worker):
    """Parts a worker's batch among its replicas, in order; inside or outside a tf.function."""
    if per_worker == 1:
        return batch
    size = tf.nest.flatten(batch)[0].shape[0] // per_worker

    def part(context):
        index = context.replica_id_in_sync_group % per_worker
        return tf.nest.map_structure(lambda t: t[index * size:(index + 1) * size], batch)

    return strategy.experimental_distribute_values_from_function(part)
