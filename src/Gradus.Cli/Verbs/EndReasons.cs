using Gradus.Bundle;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary>Why a text ended, as JSON output says it.</summary>
internal static class EndReasons
{
    /// <summary>The name of the reason.</summary>
    public static string Name(GeneratedText text) => text.End switch
    {
        TextEnd.StopText => "stop_text",
        TextEnd.Time => "time_limit",
        TextEnd.Cancelled => "cancelled",
        _ => text.Finish switch
        {
            FinishReason.StopToken => "end_token",
            FinishReason.Length => "max_tokens",
            FinishReason.ContextFull => "context_full",
            FinishReason.NothingAllowed => text.Request.Constraint is null ? "nothing_allowed" : "complete",
            _ => "cancelled",
        },
    };
}
