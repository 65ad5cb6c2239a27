namespace Gradus.Server.Http;

/// <summary>
/// A request that is refused: what the client is told, in the form of the protocol that it speaks. The kinds and codes are those of the OpenAI API.
/// </summary>
public sealed class ApiException : Exception
{
    /// <summary>Refuses a request.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="type">The kind of the error, such as <c>invalid_request_error</c>.</param>
    /// <param name="code">The error itself, such as <c>model_not_found</c>; null for none.</param>
    /// <param name="parameter">The request's field that is wrong; null for none.</param>
    /// <param name="message">One line: what is wrong, and what to do.</param>
    public ApiException(int status, string type, string? code, string? parameter, string message)
        : base(message)
    {
        Status = status;
        Type = type;
        Code = code;
        Parameter = parameter;
    }

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>The kind of the error.</summary>
    public string Type { get; }

    /// <summary>The error itself; null for none.</summary>
    public string? Code { get; }

    /// <summary>The request's field that is wrong; null for none.</summary>
    public string? Parameter { get; }

    /// <summary>When to try again; null where that would not help.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The tokens of the prompt, where it is too long.</summary>
    public int? PromptTokens { get; init; }

    /// <summary>The tokens that the context holds, where the prompt is too long.</summary>
    public int? ContextTokens { get; init; }

    /// <summary>A field of the request is wrong.</summary>
    /// <param name="parameter">The field's path.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="code">The error itself; null for none.</param>
    public static ApiException Invalid(string? parameter, string message, string? code = null) => new(400, "invalid_request_error", code, parameter, message);

    /// <summary>The prompt does not fit the context. Clients and agents look for both phrases of the message.</summary>
    /// <param name="prompt">The tokens of the prompt.</param>
    /// <param name="context">The tokens that the context holds.</param>
    /// <param name="parameter">The field that holds the prompt.</param>
    public static ApiException TooLong(int prompt, int context, string parameter) => new(
        400, "invalid_request_error", "context_length_exceeded", parameter,
        $"This model's maximum context length is {context} tokens, but the prompt has {prompt} tokens, which exceeds the available context size; shorten it.")
    {
        PromptTokens = prompt,
        ContextTokens = context,
    };

    /// <summary>There is no such model.</summary>
    /// <param name="name">The name that was asked for.</param>
    /// <param name="names">The names that there are.</param>
    public static ApiException NoModel(string name, IEnumerable<string> names) => new(
        404, "invalid_request_error", "model_not_found", "model", $"The model '{name}' does not exist; there are: {string.Join(", ", names)}.");

    /// <summary>The server cannot take the request now.</summary>
    /// <param name="code">Why.</param>
    /// <param name="message">Why, as a sentence.</param>
    /// <param name="retryAfter">When to try again.</param>
    public static ApiException Unavailable(string code, string message, TimeSpan retryAfter) => new(503, "service_unavailable_error", code, null, message) { RetryAfter = retryAfter };

    /// <summary>The client asks too much at once.</summary>
    /// <param name="message">Of what, and the limit.</param>
    /// <param name="retryAfter">When to try again.</param>
    public static ApiException TooMany(string message, TimeSpan retryAfter) => new(429, "rate_limit_error", "rate_limit_exceeded", null, message) { RetryAfter = retryAfter };
}
