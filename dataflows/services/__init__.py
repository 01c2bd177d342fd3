"""The client of the two services; modules in the order in which a question passes them.

| module | does |
| --- | --- |
| ``client`` | evaluations in, answers out: several chunks in flight, by a method that the service knows |
| ``asking`` | one service asked by the methods that it knows |
| ``feature_client``, ``own_means`` | features without predictions, of a service or of our own |
| ``chunks`` | evaluations cut to the limits; the features of a chunk; answers put together again |
| ``methods`` | a method as a value; dividing a question that is refused |
| ``batch_methods``, ``original_methods`` | the methods of ``latecomer.v1`` and of the original demo |
| ``open_inference``, ``open_tensors`` | a model of an Open Inference server; tensors |
| ``window_request`` | windows and what is new of their columns as the bytes of a request |
| ``descriptions`` | what the services say about themselves, held against what a run needs |
| ``streams``, ``sent_columns`` | both services asked on streams; what a stream has of our columns |
| ``server_streams``, ``stream`` | a stream to each server, begun again when it is over; one stream and its deadlines |
| ``calls``, ``retries``, ``errors`` | one call with its deadline and retries; what follows from each status |
| ``answer_bytes``, ``answer_checks``, ``answers`` | an answer from bytes to values; the table of its faults |
| ``channels``, ``turns``, ``access_tokens`` | connections, the address that takes the next call, tokens |
| ``embedded``, ``java``, ``asked_windows`` | services of a run's own; their jar; the windows of ``latecomer ask`` |

Only ``client``, ``feature_client``, ``open_inference``, those of streams, ``calls``, ``channels``, ``access_tokens``,
``embedded`` and ``java`` do I/O. Another protocol is one more module that defines methods.
"""
