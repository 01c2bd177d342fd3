"""Runs for half an hour and longer, with faults around them: does anything grow?"""
