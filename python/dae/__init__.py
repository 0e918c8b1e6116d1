"""What an app run by dae may import; the platform's services are in `dae.api`."""

__version__ = "0.1.0"
