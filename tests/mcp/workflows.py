"""Workflows that an agent runs."""

GREET = """
name: greet
description: Says hello to somebody.
input:
  type: object
  properties: { who: { type: string } }
  required: [who]
nodes:
  - id: hello
    type: shell
    config:
      env: { WHO: "{{ input.who }}" }
      script: for i in 1 2 3; do echo "hello $WHO $i"; done
  - { id: done, type: transform, needs: [hello], config: { output: "{{ input.who }} was greeted" } }
output: "{{ done.output }}"
"""

REFUND = """
name: refund
description: Pays money back, once somebody has approved it.
input:
  type: object
  properties: { amount: { type: number } }
  required: [amount]
nodes:
  - id: ask
    type: approval
    config:
      title: "Refund {{ input.amount }}?"
      subject: { amount: "{{ input.amount }}" }
      form: { type: object, properties: { note: { type: string } }, required: [note] }
  - { id: pay, type: noop, needs: [ask], config: { output: "{{ ask.output.form.note }}" } }
output: "{{ pay.output }}"
"""

# Neither its name nor its input can be those of a tool as they are.
DOUBLE = """
name: "Verdoppeln: größer"
input: { type: integer }
nodes:
  - { id: double, type: noop, config: { output: "{{ input * 2 }}" } }
output: "{{ double.output }}"
"""

ALL = [GREET, REFUND, DOUBLE]
