"""The exercises of the book, a file a chapter: what is right, what is often answered instead, and the hints."""
