using System.Net;
using System.Text.Json;
using Gradus.Server.Hosting;

namespace Gradus.Server.Tests.Hosting;

/// <summary>The chat page's files: what is sent, and under which policy.</summary>
public sealed class PageTests(ChatServer server) : IClassFixture<ChatServer>
{
    private readonly HttpClient _client = server.Running.Client;

    [Fact]
    public async Task ThePageRunsNothingButItsOwnFiles()
    {
        using HttpResponseMessage page = await _client.GetAsync("/");
        string policy = page.Headers.GetValues("Content-Security-Policy").Single();
        foreach (string rule in new[] { "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'" })
            Assert.Contains(rule, policy);
        Assert.DoesNotContain("unsafe", policy);
        string html = await page.Content.ReadAsStringAsync();
        Assert.DoesNotContain("http", html.Replace("http-equiv", "", StringComparison.Ordinal));
        foreach (System.Text.RegularExpressions.Match file in System.Text.RegularExpressions.Regex.Matches(html, "(?:src|href)=\"(/page/[^\"]+)\""))
        {
            using HttpResponseMessage part = await _client.GetAsync(file.Groups[1].Value);
            Assert.Equal(HttpStatusCode.OK, part.StatusCode);
            Assert.Equal("nosniff", part.Headers.GetValues("X-Content-Type-Options").Single());
        }
    }

    [Fact]
    public void ThePageIsSmall() => Assert.InRange(new PageEndpoint().PackedBytes, 10_000, 200_000);

    [Theory]
    [InlineData("/page/../appsettings.json")]
    [InlineData("/page/..%2f..%2fetc%2fpasswd")]
    [InlineData("/page/nothing.js")]
    public async Task NoOtherFileCanBeAskedFor(string path)
    {
        using HttpResponseMessage response = await _client.GetAsync(path);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task AFileThatIsKnownIsNotSentAgain()
    {
        using HttpResponseMessage first = await _client.GetAsync("/page/app.js");
        using HttpRequestMessage again = new(HttpMethod.Get, "/page/app.js");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using HttpResponseMessage second = await _client.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task TheDocumentNamesWhatThereIsAndItsExamplesAreWellFormed()
    {
        JsonElement document = await server.Running.Get("/openapi.json");
        Assert.Equal("3.1.0", document.GetProperty("openapi").GetString());
        foreach ((string method, string path) in OpenApiDocument.Paths)
        {
            // Whatever is said to an operation, it is there: no 404 of an unknown address, no 405.
            using HttpRequestMessage request = new(new HttpMethod(method.ToUpperInvariant()), path.Replace("{id}", "x", StringComparison.Ordinal));
            if (document.GetProperty("paths").GetProperty(path).GetProperty(method).TryGetProperty("requestBody", out JsonElement body))
                request.Content = new StringContent(body.GetProperty("content").GetProperty("application/json").GetProperty("example").GetRawText(), System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await _client.SendAsync(request);
            Assert.DoesNotContain("unknown_url", await response.Content.ReadAsStringAsync());
            Assert.NotEqual(HttpStatusCode.MethodNotAllowed, response.StatusCode);
            Assert.True((int)response.StatusCode < 500, $"{method} {path}: {response.StatusCode}");
        }
        Assert.Contains("openapi.json", await _client.GetStringAsync("/scalar/"));
    }
}
