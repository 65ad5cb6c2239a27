namespace Gradus.Text.Chat.Jinja;

/// <summary>The arguments of a call: positional, then by name.</summary>
internal sealed class Arguments(Value[] positional, KeyValuePair<string, Value>[] named)
{
    public static Arguments None { get; } = new([], []);

    public Value[] Positional { get; } = positional;

    public KeyValuePair<string, Value>[] Named { get; } = named;

    public int Count => Positional.Length + Named.Length;

    /// <summary>
    /// The arguments in the order of the parameter names, null where one is not given.
    /// Fails on a missing one among the first <paramref name="required"/>, on a surplus one and on an unknown name.
    /// </summary>
    public Value?[] Bind(RenderContext context, string function, int required, params ReadOnlySpan<string> names)
    {
        if (Positional.Length > names.Length)
            throw context.Error($"{function} takes at most {names.Length} arguments, not {Positional.Length}");
        Value?[] bound = new Value?[names.Length];
        Positional.CopyTo(bound, 0);
        foreach ((string name, Value value) in Named)
        {
            int index = names.IndexOf(name);
            if (index < 0)
                throw context.Error($"{function} has no argument '{name}'{(names.Length > 0 ? "; it has " + string.Join(", ", names.ToArray()) : "")}");
            if (bound[index] is not null)
                throw context.Error($"{function} got the argument '{name}' twice");
            bound[index] = value;
        }
        for (int i = 0; i < required; i++)
        {
            if (bound[i] is null)
                throw context.Error($"{function} needs the argument '{names[i]}'");
        }
        return bound;
    }

    /// <summary>The arguments after the first ones: what map() hands on to the filter it names.</summary>
    public Arguments Skip(int count) => new(Positional[Math.Min(count, Positional.Length)..], Named);
}
