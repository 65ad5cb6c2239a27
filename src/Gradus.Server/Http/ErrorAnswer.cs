using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gradus.Server.Http;

/// <summary>What a client is told when a request is refused or fails: in the form of the protocol that its path belongs to.</summary>
internal static class ErrorAnswer
{
    /// <summary>The error as the body of an answer, or the data of an event.</summary>
    public static JsonObject Body(HttpContext context, ApiException error)
    {
        if (IsAnthropic(context))
        {
            return new JsonObject
            {
                ["type"] = "error",
                ["error"] = new JsonObject { ["type"] = AnthropicType(error), ["message"] = error.Message },
                ["request_id"] = context.TraceIdentifier,
            };
        }
        return context.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal) ? new JsonObject { ["error"] = error.Message } : OpenAi(error);
    }

    /// <summary>Answers with the error.</summary>
    public static Task Write(HttpContext context, ApiException error)
    {
        if (error.RetryAfter is { } after)
            context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        return JsonAnswer.Write(context, Body(context, error), error.Status);
    }

    /// <summary>What an unforeseen failure is to a client: its cause stays in the log.</summary>
    public static ApiException Of(Exception error) => error as ApiException
        ?? new ApiException(500, "server_error", "internal_error", null, "The server failed to answer; its log says why.");

    private static bool IsAnthropic(HttpContext context) =>
        context.Request.Path.StartsWithSegments("/v1/messages", StringComparison.Ordinal) || context.Request.Headers.ContainsKey("anthropic-version");

    private static JsonObject OpenAi(ApiException error)
    {
        JsonObject body = new() { ["message"] = error.Message, ["type"] = error.Type, ["param"] = error.Parameter, ["code"] = error.Code };
        if (error.PromptTokens is { } prompt)
            body["n_prompt_tokens"] = prompt;
        if (error.ContextTokens is { } context)
            body["n_ctx"] = context;
        return new JsonObject { ["error"] = body };
    }

    private static string AnthropicType(ApiException error) => error.Status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        >= 500 => "api_error",
        _ => "invalid_request_error",
    };
}
