import java.util.List;

/** Children of ProcessBuilder and Runtime without an environment; and those of children. */
public class Wiped {
	private static int n;
	private static String host;

	private static String url() {
		return "http://" + host + "/" + n++;
	}

	private static void start(String... command) throws Exception {
		ProcessBuilder builder = new ProcessBuilder(List.of(command));
		builder.environment().clear();
		if (builder.inheritIO().start().waitFor() != 0)
			throw new Exception(command[0]);
	}

	public static void main(String[] args) throws Exception {
		for (String each : args) {
			n = 0;
			host = each;
			start("/usr/bin/curl", "-sS", url());
			start("curl", "-sS", url());
			start("sh", "-c", "env -i curl -sS " + url());
			String[] words = { "curl", "-sS", url() };
			Process process = Runtime.getRuntime().exec(words, new String[0]);
			System.out.print(new String(process.getInputStream().readAllBytes()));
		}
	}
}
