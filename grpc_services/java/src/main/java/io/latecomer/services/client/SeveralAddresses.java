package io.latecomer.services.client;

import io.grpc.Attributes;
import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.Status;
import io.grpc.StatusOr;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Resolves several {@code host:port} for one channel, each by gRPC's own resolver, so that a name
 * may have several records. A server has to show a certificate for the host it was found under.
 */
public final class SeveralAddresses extends NameResolverProvider {
  static final String SCHEME = "several";

  /** Below gRPC's own, which is 5: for this scheme there is no other. */
  private static final int PRIORITY = 4;

  @Override
  protected boolean isAvailable() {
    return true;
  }

  @Override
  protected int priority() {
    return PRIORITY;
  }

  @Override
  public String getDefaultScheme() {
    return SCHEME;
  }

  @Override
  public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
    return Set.of(InetSocketAddress.class);
  }

  @Override
  public NameResolver newNameResolver(URI target, NameResolver.Args args) {
    return SCHEME.equals(target.getScheme())
        ? new Joined(Addresses.parse(target.getPath().substring(1)), args)
        : null;
  }

  /** One resolver for each address; what they find is put together. */
  private static final class Joined extends NameResolver {
    private final Map<String, NameResolver> resolvers = new LinkedHashMap<>();
    private final Map<String, StatusOr<List<EquivalentAddressGroup>>> found = new LinkedHashMap<>();
    private Listener2 listener;

    Joined(Addresses addresses, Args args) {
      NameResolver.Factory factory = NameResolverRegistry.getDefaultRegistry().asFactory();
      for (String address : addresses.each()) {
        URI target = URI.create(Addresses.target("dns", address));
        resolvers.put(address, factory.newNameResolver(target, args));
      }
    }

    @Override
    public String getServiceAuthority() {
      return resolvers.keySet().iterator().next();
    }

    @Override
    public void start(Listener2 wanted) {
      listener = wanted;
      resolvers.forEach((address, resolver) -> resolver.start(new Part(address)));
    }

    @Override
    public void refresh() {
      resolvers.values().forEach(NameResolver::refresh);
    }

    @Override
    public void shutdown() {
      resolvers.values().forEach(NameResolver::shutdown);
    }

    /** Goes on with what is known: one name that does not resolve must not stop the others. */
    private Status join() {
      List<EquivalentAddressGroup> all = new ArrayList<>();
      Status error = Status.OK;
      for (var part : found.entrySet()) {
        if (part.getValue().hasValue()) {
          part.getValue().getValue().forEach(group -> all.add(named(group, part.getKey())));
        } else {
          error = part.getValue().getStatus();
        }
      }
      if (!all.isEmpty()) {
        return listener.onResult2(result(StatusOr.fromValue(all)));
      }
      return found.size() < resolvers.size()
          ? Status.OK
          : listener.onResult2(result(StatusOr.fromStatus(error)));
    }

    private static ResolutionResult result(StatusOr<List<EquivalentAddressGroup>> groups) {
      return ResolutionResult.newBuilder().setAddressesOrError(groups).build();
    }

    private static EquivalentAddressGroup named(EquivalentAddressGroup group, String address) {
      Attributes attributes =
          group.getAttributes().toBuilder()
              .set(EquivalentAddressGroup.ATTR_AUTHORITY_OVERRIDE, address)
              .build();
      return new EquivalentAddressGroup(group.getAddresses(), attributes);
    }

    /** Called by gRPC one at a time, in the channel's own order. */
    private final class Part extends Listener2 {
      private final String address;

      Part(String address) {
        this.address = address;
      }

      @Override
      public Status onResult2(ResolutionResult result) {
        found.put(address, result.getAddressesOrError());
        return join();
      }

      @Override
      public void onResult(ResolutionResult result) {
        onResult2(result);
      }

      @Override
      public void onError(Status error) {
        found.put(address, StatusOr.fromStatus(error));
        join();
      }
    }
  }
}
