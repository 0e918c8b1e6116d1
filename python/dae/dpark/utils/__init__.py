"""What RDDs are computed with, each by itself."""
