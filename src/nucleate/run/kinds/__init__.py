"""Kinds of executors: every module is one."""
