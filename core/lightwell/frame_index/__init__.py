"""Values of single frames, and questions about them: "raw sequence data"."""

from lightwell.frame_index.channels import Channel, find_channels, frame_stack
from lightwell.frame_index.index import FrameIndex
from lightwell.frame_index.question import parse_frames_query, question_text
from lightwell.frame_index.selections import FrameRuns, Selection, SelectionStore, runs_text

__all__ = [
    "Channel",
    "FrameIndex",
    "FrameRuns",
    "Selection",
    "SelectionStore",
    "find_channels",
    "frame_stack",
    "parse_frames_query",
    "question_text",
    "runs_text",
]
