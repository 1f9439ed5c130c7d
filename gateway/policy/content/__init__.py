"""What may be in a text: the rules on words, links, contacts, signatures and opt-out lines.

`options` are the keys, `judging` the rule that judges finished texts, with `banned` for words,
`links` and `contacts` for what leads elsewhere; `signatures` and `optout_lines` are steps of a
text's making, which `gateway.dispatch.intake.wording` puts in order.
"""
