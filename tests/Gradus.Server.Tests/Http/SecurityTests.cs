using System.Net;
using System.Text.Json;
using Gradus.Server.Security;

namespace Gradus.Server.Tests.Http;

/// <summary>Keys, their scopes and limits; other origins and host names.</summary>
public sealed class SecurityTests
{
    private const string Request = """{"prompt": "a", "max_tokens": 1}""";

    [Fact]
    public async Task OnlyKeysThatAreKnownOpenTheServer()
    {
        (string user, ApiKey ofUser) = ApiKeys.Create("user");
        (string admin, ApiKey ofAdmin) = ApiKeys.Create("admin", ApiKeys.Inference, ApiKeys.Admin);
        await using RunningServer server = await RunningServer.Start(new ServerOptions { Keys = new ApiKeys([ofUser, ofAdmin]) });
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/health"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Status(server, HttpMethod.Get, "/v1/models"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Status(server, HttpMethod.Get, "/v1/models", ("Authorization", "Bearer gr-wrong")));
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/v1/models", ("Authorization", $"Bearer {user}")));
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/v1/models", ("x-api-key", user)));
        Assert.Equal(HttpStatusCode.Forbidden, await Status(server, HttpMethod.Get, "/metrics", ("x-api-key", user)));
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/metrics", ("x-api-key", admin)));
        Assert.Equal(HttpStatusCode.NoContent, await Status(server, HttpMethod.Options, "/v1/models"));
    }

    [Fact]
    public void KeysAreStoredAsHashes()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("gradus-keys-").FullName, "keys.json");
        (string secret, ApiKey key) = ApiKeys.Create("alice");
        ApiKeys.Save(file, [key with { TokensPerMinute = 100, Concurrent = 2 }]);
        Assert.DoesNotContain(secret, File.ReadAllText(file));
        ApiKeys loaded = ApiKeys.Load(file);
        Assert.Equal("alice", loaded.Find(secret)?.Name);
        Assert.Equal((100, 2), (loaded.All[0].TokensPerMinute, loaded.All[0].Concurrent));
        Assert.Null(loaded.Find(secret + " "));
        Assert.Null(loaded.Find(key.Sha256));
        File.WriteAllText(file, """{"keys": [{"name": "a", "sha256": "00", "colour": 1}]}""");
        Assert.Contains("colour", Assert.Throws<InvalidDataException>(() => ApiKeys.Load(file)).Message);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public async Task ALimitIsA429WithATime()
    {
        (string few, ApiKey ofFew) = ApiKeys.Create("few");
        (string tokens, ApiKey ofTokens) = ApiKeys.Create("tokens");
        await using RunningServer server = await RunningServer.Start(new ServerOptions { Keys = new ApiKeys([ofFew with { RequestsPerMinute = 2 }, ofTokens with { TokensPerMinute = 20 }]) });
        server.Client.DefaultRequestHeaders.Add("x-api-key", few);
        await server.Ask("/v1/completions", Request);
        await server.Ask("/v1/completions", Request);
        using HttpResponseMessage refused = await server.Send("/v1/completions", Request);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal("rate_limit_exceeded", JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString());
        server.Client.DefaultRequestHeaders.Remove("x-api-key");
        server.Client.DefaultRequestHeaders.Add("x-api-key", tokens);
        await server.Ask("/v1/completions", """{"prompt": "the cat sat on the mat", "max_tokens": 40, "ignore_eos": true}""");
        using HttpResponseMessage used = await server.Send("/v1/completions", Request);
        Assert.Equal(HttpStatusCode.TooManyRequests, used.StatusCode);
    }

    [Fact]
    public async Task PagesOfOtherOriginsAreRefusedUnlessListed()
    {
        await using RunningServer server = await RunningServer.Start(new ServerOptions { AllowedOrigins = ["https://chat.example.org"] });
        Assert.Equal(HttpStatusCode.Forbidden, await Status(server, HttpMethod.Get, "/v1/models", ("Origin", "https://evil.example.org")));
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/v1/models", ("Origin", server.Server.Address.GetLeftPart(UriPartial.Authority))));
        using HttpRequestMessage preflight = new(HttpMethod.Options, "/v1/chat/completions");
        preflight.Headers.Add("Origin", "https://chat.example.org");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization, content-type");
        using HttpResponseMessage allowed = await server.Client.SendAsync(preflight);
        Assert.Equal("https://chat.example.org", allowed.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal("authorization, content-type", string.Join(", ", allowed.Headers.GetValues("Access-Control-Allow-Headers")));
    }

    [Fact]
    public async Task AForeignHostNameIsRefusedOnLoopback()
    {
        await using RunningServer server = await RunningServer.Start();
        Assert.Equal(HttpStatusCode.Forbidden, await Status(server, HttpMethod.Get, "/v1/models", ("Host", "rebound.example.org")));
        Assert.Equal(HttpStatusCode.OK, await Status(server, HttpMethod.Get, "/v1/models", ("Host", "localhost:1234")));
    }

    private static async Task<HttpStatusCode> Status(RunningServer server, HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(method, path);
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        return response.StatusCode;
    }
}
