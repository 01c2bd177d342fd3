"""The one line that a person needs of what Flink prints. The traces are Flink 2.3's, cut to the frames that matter."""

import pytest

from dataflows.flink_job.causes import first_cause

HEAD = """\
Traceback (most recent call last):
  File "dataflows/flink_job/job.py", line 63, in main
    env.execute("latecomer")
  File "py4j/protocol.py", line 326, in get_return_value
    raise Py4JJavaError(
py4j.protocol.Py4JJavaError: An error occurred while calling o33.execute.
: org.apache.flink.runtime.client.JobExecutionException: Job execution failed.
\tat org.apache.flink.runtime.jobmaster.JobResult.toJobExecutionResult(JobResult.java:180)
\tat java.base/java.util.concurrent.ForkJoinWorkerThread.run(ForkJoinWorkerThread.java:165)
Caused by: org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.runtime.scheduler.DefaultScheduler.recordTaskFailure(DefaultScheduler.java:300)
\t... 5 more
"""

PYTHON_STAGE = """\
Caused by: org.apache.flink.runtime.taskmanager.AsynchronousException: Caught exception while processing timer.
\tat org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException(StreamTask.java:1742)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: TimerException{java.lang.reflect.InvocationTargetException}
\t... 15 more
Caused by: java.lang.reflect.InvocationTargetException
\tat io.latecomer.flink.PythonStage.process(PythonStage.java:53)
\t... 14 more
Caused by: pemja.core.PythonException: <class 'dataflows.services.errors.ServiceError'>: the features service at \
127.0.0.1:1 failed 1 attempts of up to 1s: UNAVAILABLE: connections to all backends failing
\tat dataflows/services/calls.call(calls.py:86)
\tat pemja.core.object.PyIterator.hasNext(PyIterator.java:40)
\t... 24 more
"""


def test_an_error_of_our_python_is_told_in_its_own_words() -> None:
    assert first_cause(HEAD + PYTHON_STAGE) == (
        "the features service at 127.0.0.1:1 failed 1 attempts of up to 1s: UNAVAILABLE: connections to all backends "
        "failing"
    )


def test_the_innermost_cause_with_a_message_is_told() -> None:
    assert first_cause(HEAD) == "Recovery is suppressed by NoRestartBackoffTimeStrategy"
    assert first_cause(HEAD + "Caused by: java.io.EOFException\n\t... 9 more\n") == first_cause(HEAD)


def test_an_error_of_the_virtual_machine_is_a_cause_too() -> None:
    assert first_cause(HEAD + "Caused by: java.lang.OutOfMemoryError: Java heap space\n") == "Java heap space"


@pytest.mark.parametrize(
    "cause", ["UnknownHostException: kafka-0", "NoSuchFileException: /state/chk-7", "ConnectException: refused"]
)
def test_a_message_of_one_word_says_nothing_without_its_class(cause: str) -> None:
    assert first_cause(f"{HEAD}Caused by: java.net.{cause}\n\t... 9 more\n") == cause


def test_a_class_within_another_is_a_cause_too() -> None:
    assert first_cause("Caused by: io.latecomer.Topic$GoneException: the topic is gone\n") == "the topic is gone"


def test_what_was_suppressed_beside_a_cause_is_none() -> None:
    suppressed = "\tSuppressed: java.io.IOException: stream closed\n\tCaused by: java.io.IOException: inner one\n"
    assert first_cause(HEAD + suppressed) == first_cause(HEAD)


def test_a_trace_of_python_alone_ends_with_its_cause() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1\nruntime.errors.SettingsError: no such file\n'
    assert first_cause(trace) == "no such file"


@pytest.mark.parametrize(("output", "line"), [("", ""), ("killed\n  by\tnobody\n", "killed by nobody")])
def test_without_a_cause_the_last_words_are_told_in_one_line(output: str, line: str) -> None:
    assert first_cause(output) == line


def test_of_many_words_the_last_thirty_are_told() -> None:
    assert first_cause("\n".join(map(str, range(100)))) == " ".join(map(str, range(70, 100)))
