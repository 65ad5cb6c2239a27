using Gradus.Generation;

namespace Gradus.Bundle;

/// <summary>How a text is drawn from a model.</summary>
/// <param name="Options">The steps between the model's scores and the choice.</param>
/// <param name="Seed">The seed of the first text; null takes the likeliest token each time.</param>
/// <param name="MaxTokens">New tokens at most, ≥ 0.</param>
/// <param name="StopTexts">Texts that end it, and are not part of it (<see cref="StreamedText"/>).</param>
public sealed record TextSampling(SamplingOptions Options, ulong? Seed, int MaxTokens, IReadOnlyList<string> StopTexts)
{
    /// <summary>The surprise that Mirostat 2 keeps the text near, in bits, and how fast it learns; null for none.</summary>
    public (float Surprise, float Rate)? Mirostat { get; init; }

    /// <summary>A request of <see cref="ModelBundle"/> with these settings.</summary>
    /// <param name="request">What is read, and the tokens that end the answer.</param>
    /// <param name="index">The number of the text: each has a seed of its own.</param>
    public GenerationRequest Apply(GenerationRequest request, int index = 0)
    {
        ArgumentNullException.ThrowIfNull(request);
        ulong? own = Seed is { } seed ? unchecked(seed + (ulong)index) : null;
        return request with
        {
            Steps = Options.Steps(request.StopTokens, own ?? 0),
            Seed = own,
            MaxNewTokens = MaxTokens,
        };
    }

    /// <summary>The request with the state that a setting needs from token to token, around the structure that it has by now.</summary>
    /// <param name="request">A request that <see cref="Apply"/> made.</param>
    public GenerationRequest WithState(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Mirostat is not { } mirostat || request.Seed is null ? request : request with
        {
            Constraint = () => new Generation.Mirostat(mirostat.Surprise, mirostat.Rate, Options.Temperature, request.Constraint?.Invoke()),
        };
    }
}
