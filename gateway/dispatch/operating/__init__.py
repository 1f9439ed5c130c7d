"""What operators see and have done (`gateway.ops.operations`): `sights` makes the views, `stuck`
the sentences of the overview, `traces` tells of single messages, `verbs` does what is asked,
`ledgers` keeps the audit, and `operator` is all of it together."""
