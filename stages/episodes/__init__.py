"""How well a few-shot network segments the classes that it never learnt."""
