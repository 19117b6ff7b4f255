"""Sales pipelines as plain values: contacts, deals, rules, histories and honest figures."""
