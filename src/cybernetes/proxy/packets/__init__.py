"""The kernel's packet rules behind an interface.

api       what the loop asks for: dump, commit
nft       one netlink transaction a change
iptables  restore text of the chains that changed
fake      an interpreter: sends packets through a rule set
"""
