"""A small Hub on this machine: what the real clients ask of the Hub, answered from memory.

repositories.py  files and commits        faults.py     what can be made to go wrong
server.py        what is asked            uploads.py    what changes a repository
answers.py       what HTTP needs of each answer
data_sets.py     the shipped recipes' own data sets in miniature
"""

from hub_server.faults import Fault
from hub_server.repositories import Repo
from hub_server.server import USER, Hub, running_hub

__all__ = ["USER", "Fault", "Hub", "Repo", "running_hub"]
