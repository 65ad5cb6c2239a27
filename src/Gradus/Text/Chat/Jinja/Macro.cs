namespace Gradus.Text.Chat.Jinja;

/// <summary>A macro or the body of a call block as written. A null default means that there is none.</summary>
internal sealed class MacroDefinition(string name, (string Name, Expression? Default)[] parameters, Block body, IReadOnlySet<string> names)
{
    public string Name { get; } = name;

    public (string Name, Expression? Default)[] Parameters { get; } = parameters;

    public Block Body { get; } = body;

    /// <summary>Whether the body mentions a name: kwargs, varargs and caller are only taken where it does.</summary>
    public bool Mentions(string word) => names.Contains(word) && !Array.Exists(Parameters, p => p.Name == word);
}

/// <summary>A macro together with the scope it was defined in.</summary>
internal sealed class MacroValue(MacroDefinition definition, Scope closure) : Value
{
    public override string TypeName => "macro";

    public override Value? Attribute(RenderContext context, string name) => name switch
    {
        "name" => Of(definition.Name),
        "arguments" => new TupleValue(Array.ConvertAll(definition.Parameters, static p => (Value)Of(p.Name))),
        _ => null,
    };

    public override Value Call(RenderContext context, Arguments arguments)
    {
        context.EnterCall();
        Position position = context.Position;
        Scope scope = new(closure);
        Bind(context, scope, arguments);
        context.Position = position;
        TextValue text = definition.Body.Capture(context, scope);
        context.LeaveCall();
        context.Position = position;
        return text;
    }

    private void Bind(RenderContext context, Scope scope, Arguments arguments)
    {
        (string Name, Expression? Default)[] parameters = definition.Parameters;
        Dictionary<string, Value> named = new(StringComparer.Ordinal);
        foreach ((string name, Value value) in arguments.Named)
        {
            if (!named.TryAdd(name, value))
                throw context.Error($"macro '{definition.Name}' got the argument '{name}' twice");
        }
        Value?[] given = new Value?[parameters.Length];
        for (int i = 0; i < parameters.Length; i++)
        {
            if (i < arguments.Positional.Length)
                given[i] = arguments.Positional[i];
            else if (named.Remove(parameters[i].Name, out Value? value))
                given[i] = value;
        }
        if (definition.Mentions("caller"))
            scope.Set("caller", named.Remove("caller", out Value? caller) ? caller : new UndefinedValue($"macro '{definition.Name}' was not called by a call block: there is no caller"));
        BindRest(context, scope, arguments, named);
        Scope outer = context.Scope;
        context.Scope = scope;
        for (int i = 0; i < parameters.Length; i++)
        {
            (string name, Expression? missing) = parameters[i];
            scope.Set(name, given[i] ?? missing?.Evaluate(context) ?? new UndefinedValue($"parameter '{name}' of macro '{definition.Name}' was not given"));
        }
        context.Scope = outer;
    }

    /// <summary>Arguments beyond the parameters: kwargs and varargs, or an error.</summary>
    private void BindRest(RenderContext context, Scope scope, Arguments arguments, Dictionary<string, Value> named)
    {
        int parameters = definition.Parameters.Length;
        if (definition.Mentions("kwargs"))
        {
            DictValue kwargs = new();
            foreach ((string name, Value value) in arguments.Named)
            {
                if (named.ContainsKey(name))
                    kwargs.Set(context, Of(name), value);
            }
            scope.Set("kwargs", kwargs);
        }
        else if (named.Count > 0)
        {
            throw context.Error($"macro '{definition.Name}' has no argument '{named.Keys.First()}'");
        }
        if (definition.Mentions("varargs"))
            scope.Set("varargs", new TupleValue(arguments.Skip(parameters).Positional));
        else if (arguments.Positional.Length > parameters)
            throw context.Error($"macro '{definition.Name}' takes at most {parameters} arguments, not {arguments.Positional.Length}");
    }
}
