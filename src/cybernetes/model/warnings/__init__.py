"""What is accepted but likely a mistake: texts of Warning headers, one file a subject.

enters   objects that were found right
leaves   lists of texts, in the reference's order and words
"""
