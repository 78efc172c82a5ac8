"""The options and the help of each command, which need no room of the package.

The module beside this folder with the command's name does the work; it is loaded when the command runs.
"""
