"""The Hub, asked in a bounded time: is it there, does it have this repository, what went wrong?"""
