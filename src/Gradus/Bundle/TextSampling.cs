using Gradus.Generation;

namespace Gradus.Bundle;

/// <summary>How a text is drawn from a model.</summary>
/// <param name="Options">The steps between the model's scores and the choice.</param>
/// <param name="Seed">The seed of the first text; null takes the likeliest token each time.</param>
/// <param name="MaxTokens">New tokens at most, ≥ 0.</param>
/// <param name="StopTexts">Texts that end it, and are not part of it (<see cref="StreamedText"/>).</param>
public sealed record TextSampling(SamplingOptions Options, ulong? Seed, int MaxTokens, IReadOnlyList<string> StopTexts)
{
    /// <summary>A request of <see cref="ModelBundle"/> with these settings.</summary>
    /// <param name="request">What is read, and the tokens that end the answer.</param>
    /// <param name="index">The number of the text: each has a seed of its own.</param>
    public GenerationRequest Apply(GenerationRequest request, int index = 0)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request with
        {
            Steps = Options.Steps(request.StopTokens),
            Seed = Seed is { } seed ? unchecked(seed + (ulong)index) : null,
            MaxNewTokens = MaxTokens,
        };
    }
}
