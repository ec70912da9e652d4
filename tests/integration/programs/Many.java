/*
 * Many selector|client HOST COUNT: so many connects at once, then, or by them, a page each. The selector's
 * are made to a listener of our own first: classes are loaded then, which takes longer than a connect.
 */
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;

public class Many {
	static final long TICK_NS = 5_000_000;

	static String wanted(String host, int n)
	{
		return "you asked " + host + " for /" + n + "\n";
	}

	static boolean page(SocketChannel channel, String host, int n) throws IOException
	{
		String request = "GET /" + n + " HTTP/1.1\r\nHost: " + host +
		                 "\r\nConnection: close\r\n\r\n";
		channel.configureBlocking(true);
		channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII)));
		byte[] answer = channel.socket().getInputStream().readAllBytes();
		return new String(answer, StandardCharsets.UTF_8).endsWith("\r\n\r\n" + wanted(host, n));
	}

	static long stall, own;

	/* Returns the numbers to tell. */
	static String connect(String host, int port, int count, List<SocketChannel> channels) throws IOException
	{
		long started = System.nanoTime(), at = started;
		int ticks = 0, before = -1;

		stall = 0;

		try (Selector selector = Selector.open()) {
			for (int n = 0; n < count; n++) {
				SocketChannel channel = SocketChannel.open();
				channel.configureBlocking(false);
				if (channel.connect(new InetSocketAddress(host, port)) && port == 80)
					throw new IOException("it was connected at once");
				channel.register(selector, SelectionKey.OP_CONNECT);
				channels.add(channel);
			}
			for (int left = count; left > 0;) {
				selector.select(Math.max(1, (TICK_NS - System.nanoTime() + at) / 1_000_000 + 1));
				long late = System.nanoTime() - at - TICK_NS;
				if (late >= 0) {
					stall = Math.max(stall, late);
					at += late + TICK_NS;
					ticks++;
				}
				for (SelectionKey key : selector.selectedKeys()) {
					if (!((SocketChannel)key.channel()).finishConnect())
						throw new IOException("it was ready and is not connected");
					before = before < 0 ? ticks : before;
					key.cancel();
					left--;
				}
				selector.selectedKeys().clear();
			}
		}
		double wall = (System.nanoTime() - started) / 1e6;
		return "{\"wall_ms\": " + wall + ", \"stall_ms\": " + stall / 1e6 + ", \"own_ms\": " +
		       own / 1e6 + ", \"ticks\": " + before + "}";
	}

	static void warmUp(int count) throws IOException
	{
		List<SocketChannel> channels = new ArrayList<>();

		try (ServerSocketChannel own = ServerSocketChannel.open()) {
			own.bind(new InetSocketAddress("127.0.0.1", 0), count);
			connect("127.0.0.1", own.socket().getLocalPort(), count, channels);
			for (SocketChannel channel : channels)
				channel.close();
		}
	}

	static void selector(String host, int count) throws IOException
	{
		List<SocketChannel> channels = new ArrayList<>();
		int right = 0;

		for (int n = 0; n < 3; n++)
			warmUp(count);
		own = stall;
		String numbers = connect(host, 80, count, channels);
		for (int n = 0; n < count; n++)
			right += page(channels.get(n), host, n) ? 1 : 0;
		System.out.println(right + " right\n" + numbers);
	}

	static void client(String host, int count)
	{
		// One thread: with more, those that wait would not be seen.
		ExecutorService one = Executors.newFixedThreadPool(1);
		HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
			.executor(one).build();
		List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
		int right = 0;

		for (int n = 0; n < count; n++) {
			HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/" + n)).build();
			answers.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofString()));
		}
		for (int n = 0; n < count; n++)
			right += answers.get(n).join().body().equals(wanted(host, n)) ? 1 : 0;
		System.out.println(right + " right\n{}");
		one.shutdown();
	}

	public static void main(String[] words) throws Exception
	{
		if (words[0].equals("selector"))
			selector(words[1], Integer.parseInt(words[2]));
		else
			client(words[1], Integer.parseInt(words[2]));
	}
}
