"""An extension of griffe: the comment behind a field of a class is its description."""

from griffe import Docstring, Extension


class FieldComments(Extension):
    def on_class_members(self, *, cls, **kwargs):
        for field in cls.members.values():
            if field.is_attribute and field.docstring is None and field.lines:
                comment = field.lines[-1].partition("  # ")[2]
                if comment:
                    field.docstring = Docstring(comment, parent=field)
