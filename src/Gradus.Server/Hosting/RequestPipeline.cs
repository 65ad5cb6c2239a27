using System.Diagnostics;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Hosting;

/// <summary>What happens around every request: who may ask, how long it may take, and a well-formed error for whatever goes wrong.</summary>
internal sealed class RequestPipeline(InferenceService service)
{
    private readonly RequestGuard _guard = new(service.Options);

    /// <summary>Puts it before the endpoints.</summary>
    public void Use(WebApplication app)
    {
        app.Use(Answer);
        app.UseRouting();
    }

    private async Task Answer(HttpContext context, RequestDelegate next)
    {
        long begun = Stopwatch.GetTimestamp();
        context.Response.Headers["x-request-id"] = context.TraceIdentifier;
        try
        {
            await Guarded(context, next).ConfigureAwait(false);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            // Nobody is there to be told.
        }
        catch (Exception e)
        {
            if (e is not ApiException)
                RequestLog.Failed(context, e);
            else if (e.Data["cause"] is Exception cause)
                RequestLog.Failed(context, cause);
            await Refuse(context, ErrorAnswer.Of(e)).ConfigureAwait(false);
        }
        finally
        {
            RequestLog.Done(context, Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
    }

    private async Task Guarded(HttpContext context, RequestDelegate next)
    {
        string? origin = context.Request.Headers.Origin;
        if (!string.IsNullOrEmpty(origin))
        {
            context.Response.Headers.Vary = "Origin";
            if (_guard.Allows(origin))
            {
                context.Response.Headers.AccessControlAllowOrigin = origin;
                context.Response.Headers.AccessControlExposeHeaders = "x-request-id, retry-after, x-gradus-skipped-tools";
            }
        }
        _guard.Check(context);
        if (HttpMethods.IsOptions(context.Request.Method))
        {
            AnswerOptions(context);
            return;
        }
        using CancellationTokenSource? limit = service.Options.RequestTimeout is { } time ? CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted) : null;
        CancellationToken client = context.RequestAborted;
        if (limit is not null)
        {
            limit.CancelAfter(service.Options.RequestTimeout!.Value);
            context.RequestAborted = limit.Token;
        }
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (limit is { IsCancellationRequested: true } && !client.IsCancellationRequested)
        {
            context.RequestAborted = client;
            throw new ApiException(504, "server_error", "timeout", null, $"The request took longer than the {service.Options.RequestTimeout!.Value.TotalSeconds:0} seconds that the server allows.");
        }
        if (!context.Response.HasStarted && context.Response is { StatusCode: 404 or 405, ContentLength: null })
        {
            throw new ApiException(context.Response.StatusCode, "invalid_request_error", context.Response.StatusCode == 404 ? "unknown_url" : "method_not_allowed", null, context.Response.StatusCode == 404
                ? $"Unknown request URL: {context.Request.Method} {context.Request.Path.ToUriComponent()}."
                : $"{context.Request.Method} is not supported here; see the Allow header.");
        }
    }

    // A preflight of a browser, or somebody who wants to know what there is.
    private static void AnswerOptions(HttpContext context)
    {
        context.Response.StatusCode = 204;
        context.Response.Headers.Allow = "GET, HEAD, POST, DELETE, OPTIONS";
        if (context.Response.Headers.AccessControlAllowOrigin.Count == 0)
            return;
        context.Response.Headers.AccessControlAllowMethods = "GET, HEAD, POST, DELETE, OPTIONS";
        context.Response.Headers.AccessControlAllowHeaders = context.Request.Headers.AccessControlRequestHeaders;
        context.Response.Headers.AccessControlMaxAge = "600";
    }

    private async Task Refuse(HttpContext context, ApiException error)
    {
        service.Metrics.Refused(error.Status);
        if (context.Response.HasStarted)
        {
            // Half an answer must not look like a whole one.
            context.Abort();
            return;
        }
        await ErrorAnswer.Write(context, error).ConfigureAwait(false);
    }
}
