using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Gradus.Server.Hosting;

/// <summary>
/// The chat page: files of this assembly, under a policy by which nothing runs or loads but they. A request names one of them or nothing.
/// </summary>
internal sealed class PageEndpoint
{
    private const string Prefix = "page/";
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
        "require-trusted-types-for 'script'; trusted-types dompurify";

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".txt"] = "text/plain; charset=utf-8",
    };

    private readonly Dictionary<string, PageFile> _files = new(StringComparer.Ordinal);

    /// <summary>Reads the files.</summary>
    public PageEndpoint()
    {
        Assembly assembly = typeof(PageEndpoint).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using Stream stream = assembly.GetManifestResourceStream(name)!;
            using MemoryStream bytes = new();
            stream.CopyTo(bytes);
            _files.Add(name[Prefix.Length..], new PageFile(bytes.ToArray(), Types[Path.GetExtension(name)]));
        }
    }

    /// <summary>The bytes that all files take on the way, gzip.</summary>
    internal int PackedBytes => _files.Values.Sum(f => f.Packed.Length);

    /// <summary>Adds the page's addresses.</summary>
    public void Map(IEndpointRouteBuilder app)
    {
        string[] get = ["GET", "HEAD"];
        app.MapMethods("/", get, c => Send(c, _files["index.html"]));
        foreach ((string name, PageFile file) in _files)
            app.MapMethods($"/page/{name}", get, c => Send(c, file));
        app.MapMethods("/favicon.ico", get, c => Send(c, _files["icon.svg"]));
    }

    private static async Task Send(HttpContext context, PageFile file)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers.CacheControl = "no-cache";
        headers.ETag = file.Tag;
        headers.Vary = "Accept-Encoding";
        if (context.Request.Headers.IfNoneMatch == file.Tag)
        {
            context.Response.StatusCode = 304;
            return;
        }
        bool packed = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        if (packed)
            headers.ContentEncoding = "gzip";
        context.Response.ContentType = file.Type;
        context.Response.ContentLength = (packed ? file.Packed : file.Bytes).Length;
        await context.Response.Body.WriteAsync(packed ? file.Packed : file.Bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private sealed class PageFile(byte[] bytes, string type)
    {
        public byte[] Bytes => bytes;

        public string Type => type;

        public byte[] Packed { get; } = Pack(bytes);

        public string Tag { get; } = $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}\"";

        private static byte[] Pack(byte[] bytes)
        {
            using MemoryStream packed = new();
            using (GZipStream gzip = new(packed, CompressionLevel.SmallestSize))
                gzip.Write(bytes);
            return packed.ToArray();
        }
    }
}
