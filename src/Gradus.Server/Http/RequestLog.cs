using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gradus.Server.Http;

/// <summary>What the log says of requests: never what was asked or answered.</summary>
internal static partial class RequestLog
{
    /// <summary>Logs an unforeseen failure.</summary>
    public static void Failed(HttpContext context, Exception error) =>
        Failed(Logger(context), context.Request.Method, context.Request.Path.ToUriComponent(), context.TraceIdentifier, error);

    /// <summary>Logs a request that is done.</summary>
    public static void Done(HttpContext context, double milliseconds) =>
        Done(Logger(context), context.Request.Method, context.Request.Path.ToUriComponent(), context.Response.StatusCode, milliseconds, Inference.InferenceService.KeyOf(context)?.Name ?? "", context.TraceIdentifier);

    private static ILogger Logger(HttpContext context) => context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Gradus.Server");

    [LoggerMessage(1, LogLevel.Error, "{Method} {Path} failed ({Request})")]
    private static partial void Failed(ILogger logger, string method, string path, string request, Exception error);

    [LoggerMessage(2, LogLevel.Debug, "{Method} {Path} {Status} {Milliseconds:0} ms {Key} ({Request})")]
    private static partial void Done(ILogger logger, string method, string path, int status, double milliseconds, string key, string request);
}
