"""Data that come with the package: the embedded digits and the ledger."""
