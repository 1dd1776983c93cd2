package millrace.bench.streams;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The registry's ids of the schemas that are written; they must be registered. */
record Schemas(int events, int state, int outcomes) {
  private static final Pattern ID = Pattern.compile("\"id\"\\s*:\\s*(\\d+)");

  static Schemas find(String registry, String prefix) throws IOException, InterruptedException {
    HttpClient http = HttpClient.newHttpClient();
    String subject = registry + "/subjects/" + prefix + "accounting.%s-value/versions/latest";
    return new Schemas(
        id(http, subject.formatted("events")),
        id(http, subject.formatted("state")),
        id(http, subject.formatted("outcomes")));
  }

  private static int id(HttpClient http, String url) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
    HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
    Matcher found = ID.matcher(answer.body());
    if (answer.statusCode() != 200 || !found.find()) {
      throw new IOException(url + " answers " + answer.statusCode() + ": " + answer.body());
    }
    return Integer.parseInt(found.group(1));
  }
}
