import java.net.HttpURLConnection;
import java.net.URI;

/** Wrong on purpose: asks again after a 403, a 404 and a 400. */
public class RetriesRefusals {
    private final String url;

    public RetriesRefusals(String endpoint, String bucket, String etag) {
        url = endpoint + "/" + bucket + "/";
    }

    public void get(String key) throws Exception {
        for (int number = 0; number < 3; number++) {
            var connection = (HttpURLConnection) URI.create(url + key).toURL().openConnection();
            if (connection.getResponseCode() < 400) return;
            Thread.sleep(200);
        }
        throw new IllegalStateException("refused");
    }
}
