"""Workers on other nodes: what is sent there, what happens there, and who waits for it here."""
