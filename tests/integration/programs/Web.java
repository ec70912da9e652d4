/* HttpURLConnection, HttpClient (its connects are non-blocking), plain and IPv6-only sockets. */
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

public class Web {
	static String text(InputStream in) throws IOException
	{
		return new String(in.readAllBytes(), StandardCharsets.UTF_8);
	}

	static void socket(String host, String path) throws IOException
	{
		try (Socket s = new Socket()) {
			s.connect(new InetSocketAddress(host.replaceAll("[\\[\\]]", ""), 80), 15000);
			String request = "GET " + path + " HTTP/1.1\r\nHost: " + host +
			                 "\r\nConnection: close\r\n\r\n";
			s.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
			System.out.print(text(s.getInputStream()).split("\r\n\r\n", 2)[1]);
		}
	}

	public static void main(String[] hosts) throws Exception
	{
		HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
			.connectTimeout(Duration.ofSeconds(15)).build();

		for (String host : hosts) {
			URLConnection old = new URL("http://" + host + "/url").openConnection(Proxy.NO_PROXY);
			System.out.print(text(old.getInputStream()));
			HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/client"))
				.timeout(Duration.ofSeconds(15)).build();
			System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
			socket(host, "/socket");
		}
		try {
			new Socket(hosts[0], 9);
		} catch (ConnectException e) {
			System.out.println("refused");
		}
	}
}
