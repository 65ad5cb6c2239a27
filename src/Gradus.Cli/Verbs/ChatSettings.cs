using System.Globalization;
using Gradus.Bundle;
using Gradus.Cli.Console;

namespace Gradus.Cli.Verbs;

/// <summary>The settings that a conversation can change by name: <c>/set temperature 0.7</c>.</summary>
internal static class ChatSettings
{
    /// <summary>For each name what it is now, and what the sampling is with another value.</summary>
    private static readonly Dictionary<string, (Func<TextSampling, string> Get, Func<TextSampling, double, TextSampling> Set, double Least, double Most, bool IsWhole)> Names = new()
    {
        ["temperature"] = (s => Text(s.Seed is null ? 0 : s.Options.Temperature), Temperature, 0, 100, false),
        ["top-k"] = (s => Text(s.Options.TopK), (s, v) => s with { Options = s.Options with { TopK = (int)v } }, 0, int.MaxValue, true),
        ["top-p"] = (s => Text(s.Options.TopP), (s, v) => s with { Options = s.Options with { TopP = (float)v } }, 0, 1, false),
        ["min-p"] = (s => Text(s.Options.MinP), (s, v) => s with { Options = s.Options with { MinP = (float)v } }, 0, 1, false),
        ["repetition-penalty"] = (s => Text(s.Options.RepetitionPenalty), (s, v) => s with { Options = s.Options with { RepetitionPenalty = (float)v } }, 0.01, 100, false),
        ["frequency-penalty"] = (s => Text(s.Options.FrequencyPenalty), (s, v) => s with { Options = s.Options with { FrequencyPenalty = (float)v } }, -100, 100, false),
        ["presence-penalty"] = (s => Text(s.Options.PresencePenalty), (s, v) => s with { Options = s.Options with { PresencePenalty = (float)v } }, -100, 100, false),
        ["max-tokens"] = (s => Text(s.MaxTokens), (s, v) => s with { MaxTokens = (int)v }, 1, int.MaxValue, true),
        ["seed"] = (s => s.Seed?.ToString(CultureInfo.InvariantCulture) ?? "none", (s, v) => s with { Seed = (ulong)v }, 0, 1L << 53, true),
    };

    /// <summary>All settings with their values, a line each.</summary>
    public static IEnumerable<string> All(TextSampling sampling) => Names.Select(n => $"{n.Key} {n.Value.Get(sampling)}");

    /// <summary>The sampling with a setting changed.</summary>
    /// <param name="sampling">The sampling.</param>
    /// <param name="name">The setting.</param>
    /// <param name="text">Its value.</param>
    /// <exception cref="UsageException">There is no such setting, or its value is out of its range.</exception>
    public static TextSampling Change(TextSampling sampling, string name, string text)
    {
        if (!Names.TryGetValue(name, out var setting))
            throw new UsageException($"there is no setting {name}; there are {string.Join(", ", Names.Keys)}.");
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !(value >= setting.Least && value <= setting.Most) || (setting.IsWhole && value != Math.Floor(value)))
            throw new UsageException($"{name} is {(setting.IsWhole ? "a whole number" : "a number")} from {setting.Least} to {setting.Most}, not \"{text}\".");
        return setting.Set(sampling, value);
    }

    // At 0 nothing is drawn; above it a seed is needed again.
    private static TextSampling Temperature(TextSampling sampling, double value) => value == 0
        ? sampling with { Seed = null, Options = sampling.Options with { Temperature = 1 } }
        : sampling with { Seed = sampling.Seed ?? (ulong)System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue), Options = sampling.Options with { Temperature = (float)value } };

    private static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
