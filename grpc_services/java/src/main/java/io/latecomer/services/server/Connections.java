package io.latecomer.services.server;

import com.sun.management.UnixOperatingSystemMXBean;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler.Sharable;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Logger;

/**
 * Takes the connections of a server: so many at a time, handshakes that are under way included, and
 * others again once there is room.
 */
@Sharable
final class Connections extends ChannelInboundHandlerAdapter implements AutoCloseable {
  /** Each that does nothing costs some ten kilobytes, with TLS thirty. Python's has the same. */
  private static final int MOST = 4_000;

  /** Descriptors for all else: jar, log, files that are read again, metrics. */
  private static final int SPARE_DESCRIPTORS = 128;

  private static final int PAUSE_S = 1;

  private static final Logger logger = Logger.getLogger(Connections.class.getName());

  private final int most;
  private final AtomicInteger open = new AtomicInteger();
  private final EventLoopGroup acceptor = eventLoops(1);
  private final EventLoopGroup workers = eventLoops(ServiceServer.threads());
  private boolean refuses;

  /** As many as may be, and as the process may open files. */
  Connections() {
    this(Math.max(1, Math.min(MOST, descriptors() - SPARE_DESCRIPTORS)));
  }

  /** For tests, which open fewer. */
  Connections(int most) {
    this.most = most;
  }

  private static EventLoopGroup eventLoops(int threads) {
    return new MultiThreadIoEventLoopGroup(
        threads,
        (ThreadFactory) work -> ServiceServer.daemon(work, "connections"),
        Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
  }

  private static int descriptors() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system
        ? (int) Math.min(Integer.MAX_VALUE, system.getMaxFileDescriptorCount())
        : Integer.MAX_VALUE;
  }

  NettyServerBuilder serve(NettyServerBuilder builder) {
    return builder
        .bossEventLoopGroup(acceptor)
        .workerEventLoopGroup(workers)
        .channelFactory(this::listening);
  }

  private ServerChannel listening() {
    ServerChannel channel =
        Epoll.isAvailable() ? new EpollServerSocketChannel() : new NioServerSocketChannel();
    channel.pipeline().addLast(this);
    return channel;
  }

  /** What a listening channel reads are connections. */
  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    Channel connection = (Channel) accepted;
    if (open.get() >= most) {
      connection.unsafe().closeForcibly();
      say(true, "the limit of " + most + " connections is reached: more are closed at once");
      return;
    }
    say(false, "connections are taken again");
    open.incrementAndGet();
    var unused = connection.closeFuture().addListener(closed -> open.decrementAndGet());
    context.fireChannelRead(connection);
  }

  /** No descriptor is left, mostly: asked at once again, it would fail at once again. */
  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
    say(true, "no connection can be taken: " + error.getMessage() + "; tried again each second");
    context.channel().config().setAutoRead(false);
    var unused =
        context
            .executor()
            .schedule(
                () -> context.channel().config().setAutoRead(true), PAUSE_S, TimeUnit.SECONDS);
  }

  /** Once for each change. */
  private void say(boolean refusing, String text) {
    if (refuses != refusing) {
      refuses = refusing;
      logger.warning(text);
    }
  }

  @Override
  public void close() {
    for (EventLoopGroup threads : List.of(acceptor, workers)) {
      var unused = threads.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }
}
