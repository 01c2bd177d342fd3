package io.latecomer.services.wire;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.DiscardUnknownFieldsParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns the bytes of requests into messages, whoever sent them: fields are counted before any
 * becomes an object, and those that the message does not have are dropped, not kept.
 */
public final class RequestReader {
  /**
   * Fields of a request, each element of a repeated one counted: an empty one is two bytes on the
   * wire and a hundred in memory. A batch that defines a column for each of the most windows has
   * 65,536, and the names of its sensors. The Python servers have the same. No message inside a
   * request repeats anything.
   */
  static final int MOST_FIELDS = 1 << 18;

  private RequestReader() {}

  /** The same calls, whose requests are read as above. */
  public static ServerServiceDefinition bounded(ServerServiceDefinition service) {
    ServiceDescriptor given = service.getServiceDescriptor();
    ServiceDescriptor.Builder descriptor =
        ServiceDescriptor.newBuilder(given.getName())
            .setSchemaDescriptor(given.getSchemaDescriptor());
    List<ServerMethodDefinition<?, ?>> methods = new ArrayList<>();
    for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
      methods.add(bounded(method));
      descriptor.addMethod(methods.get(methods.size() - 1).getMethodDescriptor());
    }
    ServerServiceDefinition.Builder definition =
        ServerServiceDefinition.builder(descriptor.build());
    methods.forEach(definition::addMethod);
    return definition.build();
  }

  private static <Q, R> ServerMethodDefinition<Q, R> bounded(ServerMethodDefinition<Q, R> method) {
    MethodDescriptor<Q, R> given = method.getMethodDescriptor();
    PrototypeMarshaller<Q> messages = (PrototypeMarshaller<Q>) given.getRequestMarshaller();
    return ServerMethodDefinition.create(
        given.toBuilder(new Reader<>(messages), given.getResponseMarshaller()).build(),
        method.getServerCallHandler());
  }

  /** The marshaller of one kind of request. */
  private static final class Reader<Q> implements Marshaller<Q> {
    private final Class<Q> type;
    private final Parser<Message> parser;

    @SuppressWarnings("unchecked") // the parser of a message gives such a message
    Reader(PrototypeMarshaller<Q> messages) {
      type = messages.getMessageClass();
      Message prototype = (Message) messages.getMessagePrototype();
      parser = DiscardUnknownFieldsParser.wrap((Parser<Message>) prototype.getParserForType());
    }

    @Override
    public Q parse(InputStream stream) {
      byte[] bytes = WholeRequest.of(stream, Integer.MAX_VALUE).bytes();
      try {
        checkFields(bytes);
        // Columns are parts of these bytes, which nobody changes: not copied.
        CodedInputStream input = UnsafeByteOperations.unsafeWrap(bytes).newCodedInput();
        input.enableAliasing(true);
        Message message = parser.parseFrom(input);
        input.checkLastTagWas(0);
        return type.cast(message);
      } catch (InvalidProtocolBufferException error) {
        throw new RequestError("request: these bytes are not a message of this method");
      } catch (IOException error) {
        throw new IllegalStateException("an array cannot fail to be read", error);
      }
    }

    @Override
    public InputStream stream(Q request) {
      throw new UnsupportedOperationException("a server sends no requests");
    }
  }

  private static void checkFields(byte[] bytes) throws IOException {
    if (bytes.length <= 2 * MOST_FIELDS) {
      return;
    }
    CodedInputStream input = CodedInputStream.newInstance(bytes);
    int fields = 0;
    for (int tag = input.readTag(); tag != 0 && input.skipField(tag); tag = input.readTag()) {
      fields++;
      if (fields > MOST_FIELDS) {
        throw Status.RESOURCE_EXHAUSTED
            .withDescription("request: more than " + MOST_FIELDS + " fields")
            .asRuntimeException();
      }
    }
  }
}
