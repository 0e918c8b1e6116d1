"""What travels to another machine, functions and classes of the script included: as cloudpickle has it, which comes with dask."""

import pickle


def dumps(value):
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return cloudpickle.dumps(value, pickle.HIGHEST_PROTOCOL)


loads = pickle.loads
