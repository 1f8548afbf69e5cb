"""Data that come with the package: the embedded digits, the ledger, the symbols and stored measurements."""
