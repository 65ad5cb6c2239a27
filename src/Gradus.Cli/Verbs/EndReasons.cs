using Gradus.Bundle;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary>Why a text ended, as JSON output says it.</summary>
internal static class EndReasons
{
    /// <summary>The name of the reason.</summary>
    public static string Name(GeneratedSequence sequence, StreamedText text) => text.Stopped
        ? "stop_text"
        : sequence.Finish switch
        {
            FinishReason.StopToken => "end_token",
            FinishReason.Length => "max_tokens",
            FinishReason.ContextFull => "context_full",
            FinishReason.NothingAllowed => "nothing_allowed",
            _ => "cancelled",
        };
}
