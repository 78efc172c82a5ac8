import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.CompleteMultipartUploadRequest;
import com.amazonaws.services.s3.model.InitiateMultipartUploadRequest;
import com.amazonaws.services.s3.model.PartETag;
import com.amazonaws.util.IOUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** AWS's SDK for Java, version 1, path style, by the contract of {@code faultinject conformance --contract}. */
public class AwsJava {
    private static final int LONGEST_ERROR = 300;
    private static final PrintStream ANSWERS = System.out;

    private final AmazonS3 s3;
    private final String bucket;
    private final String etag;

    AwsJava(String endpoint, String bucket, String etag) {
        s3 = AmazonS3ClientBuilder.standard()
            .withEndpointConfiguration(new EndpointConfiguration(endpoint, "us-east-1"))
            .withCredentials(new AWSStaticCredentialsProvider(new BasicAWSCredentials("id", "key")))
            .withPathStyleAccessEnabled(true)
            .build();
        this.bucket = bucket;
        this.etag = etag;
    }

    void call(String what, String key) throws Exception {
        switch (what) {
            case "get" -> IOUtils.drainInputStream(s3.getObject(bucket, key).getObjectContent());
            case "put" -> s3.putObject(bucket, key, "written by aws-java-sdk");
            case "post" -> s3.initiateMultipartUpload(new InitiateMultipartUploadRequest(bucket, key));
            default -> s3.completeMultipartUpload(
                new CompleteMultipartUploadRequest(bucket, key, key, List.of(new PartETag(1, etag))));
        }
    }

    public static void main(String[] words) throws Exception {
        System.setOut(System.err); // what an SDK prints is no answer
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String first = lines.readLine();
        Map<String, AwsJava> clients = new HashMap<>();
        Matcher names = Pattern.compile("\"([^\"]*)\"").matcher(first.split("\"clients\": *")[1]);
        while (names.find()) {
            clients.put(names.group(1), new AwsJava(field(first, "endpoint"), field(first, "bucket"), field(first, "etag")));
        }
        write("{\"ready\": true}");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String key = field(line, "key");
            String what = field(line, "do");
            AwsJava client = clients.get(field(line, "client"));
            new Thread(() -> answer(client, what, key)).start();
        }
        System.exit(0); // whatever still waits for its retry
    }

    private static void answer(AwsJava client, String what, String key) {
        String said = "{\"key\": \"" + key + "\", \"ok\": ";
        try {
            client.call(what, key);
            write(said + "true}");
        } catch (Exception error) {
            String text = error.toString().replaceAll("[^ -!#-\\[\\]-~]+", " "); // nothing that JSON would escape
            write(said + "false, \"error\": \"" + text.substring(0, Math.min(text.length(), LONGEST_ERROR)) + "\"}");
        }
    }

    /** The value of a field of a line, of which only that of the ETag has quotes in it. */
    private static String field(String line, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": *\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(line);
        if (!found.find()) throw new IllegalArgumentException("no " + name + " in " + line);
        return found.group(1).replace("\\\"", "\"");
    }

    private static synchronized void write(String line) {
        ANSWERS.println(line);
        ANSWERS.flush();
    }
}
